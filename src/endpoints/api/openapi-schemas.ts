import { z } from 'zod';
import type { JsonSchema } from './openapi-types.ts';

/** The schemas that check our input and output, as JSON Schema. */
export interface SchemaWriter {
  input(schema: z.ZodType): JsonSchema;
  output(schema: z.ZodType): JsonSchema;
  /** Schemas with a name that those refer to. */
  components: Record<string, JsonSchema>;
}

const DEFINITIONS = '#/$defs/';

export function createSchemaWriter(): SchemaWriter {
  const components: Record<string, JsonSchema> = {};

  function write(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
    const written = z.toJSONSchema(schema, {
      io,
      override: ({ jsonSchema }) => simplify(jsonSchema as JsonSchema, io),
    }) as JsonSchema;
    const { $schema: _, $defs = {}, ...root } = written;
    for (const [name, definition] of Object.entries($defs as Record<string, JsonSchema>)) {
      components[name] ??= moveReferences(definition);
    }
    return moveReferences(root);
  }

  return { input: (schema) => write(schema, 'input'), output: (schema) => write(schema, 'output'), components };
}

/** Leaves out what says nothing to a reader. */
function simplify(schema: JsonSchema, io: 'input' | 'output'): void {
  // The format says it; zod adds a pattern of 300 characters.
  if (schema.format === 'date-time') delete schema.pattern;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // Answers may get more members, and clients must not break by it.
  if (io === 'output' && schema.additionalProperties === false) delete schema.additionalProperties;
}

function moveReferences<T>(value: T): T {
  return JSON.parse(
    JSON.stringify(value, (key, member: unknown) =>
      key === '$ref' && typeof member === 'string' ? member.replace(DEFINITIONS, '#/components/schemas/') : member,
    ),
  ) as T;
}
