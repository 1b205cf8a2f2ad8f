/** The only reader of process.env. Everything else receives parsed configuration. */
export type Env = Readonly<Record<string, string | undefined>>;

export const readEnv = (): Env => ({ ...process.env });
