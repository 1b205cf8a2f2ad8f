/** Reasons not to start, all at once, in words for the operator. */
export class ConfigError extends Error {
  override name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    const head =
      problems.length === 1 ? 'The configuration has a problem' : `The configuration has ${problems.length} problems`;
    super(`${head}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
    this.problems = problems;
  }
}

/** The problems that something throws, to be told together with others. */
export function problemsIn(work: () => unknown): readonly string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
