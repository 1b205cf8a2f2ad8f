/** As much of OpenAPI 3.1 as our document uses. */
export interface OpenApiDocument {
  openapi: string;
  info: {
    title: string;
    version: string;
    description: string;
    /** What keys and tokens may do. */
    'x-scopes': readonly { name: string; description: string; includes?: readonly string[] }[];
  };
  servers: readonly { url: string }[];
  tags: readonly { name: string; description: string }[];
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    responses: Record<string, OpenApiResponse>;
    parameters: Record<string, OpenApiParameter>;
    headers: Record<string, OpenApiHeader>;
    examples: Record<string, { summary: string; value: unknown }>;
    securitySchemes: Record<string, SecurityScheme>;
  };
}

export interface OpenApiOperation {
  operationId: string;
  tags: readonly string[];
  summary: string;
  description?: string;
  /** Who may, in words. */
  'x-access': string;
  'x-codeSamples': readonly { lang: string; label: string; source: string }[];
  security: readonly SecurityRequirement[];
  parameters?: readonly (OpenApiParameter | Reference)[];
  requestBody?: { required: boolean; description?: string; content: Record<string, MediaType> };
  responses: Record<string, OpenApiResponse | Reference>;
}

export interface OpenApiParameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: JsonSchema;
}

export interface OpenApiResponse {
  description: string;
  headers?: Record<string, OpenApiHeader | Reference>;
  content?: Record<string, MediaType>;
}

export interface OpenApiHeader {
  description: string;
  schema: JsonSchema;
}

export interface MediaType {
  schema: JsonSchema;
  example?: unknown;
  examples?: Record<string, Reference>;
}

export interface SecurityScheme {
  type: 'http' | 'apiKey';
  description: string;
  scheme?: 'bearer' | 'basic';
  in?: 'header' | 'cookie';
  name?: string;
}

/** By the name of a scheme; the list holds the scopes that it must have. */
export type SecurityRequirement = Readonly<Record<string, readonly string[]>>;

export interface Reference {
  $ref: string;
}

/** JSON Schema 2020-12, as far as our operations need it. */
export interface JsonSchema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  [keyword: string]: unknown;
}
