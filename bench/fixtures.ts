/** What both servers know, so that both answer the same requests. */
export const ISSUER = 'https://auth.bench.example';
export const HOST = new URL(ISSUER).host;

export const OPAQUE_API = 'https://opaque.bench.example';
export const JWT_API = 'https://jwt.bench.example';
export const SCOPES = ['read', 'write'];

/** A client with the client credentials grant for both resource servers. */
export const MACHINE = { id: 'bench-machine', secret: 'FPz2qmD3VYlHVbW7oMj6Jr0H2hYQ9tVbq3gO0nR1uXs' };
/** The credentials under which the API with opaque tokens introspects. */
export const API_CLIENT = { id: 'bench-opaque-api', secret: 'b0uJ4p8mZ1Qy6cKxT7wWn2eRr5aDf9GhLk3sVi0oYjE' };
/** A client with sign-in, consent and refresh tokens. */
export const WEB = { id: 'bench-web', secret: 'Tn8yBq2xRf5Lw0Zk7Jd4Gs1Hc9Vm6Pa3Ue2Io5Yt8Wr' };
export const CALLBACK = 'https://app.bench.example/callback';

export const ADA = { email: 'ada@bench.example', password: 'correct horse battery staple' };
