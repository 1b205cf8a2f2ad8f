import type { JsonSchema } from './openapi-types.ts';

/** A row of a table: a parameter, or a member of a body or of an answer. */
export interface Field {
  /** `limit.quota`, `data[].id` */
  name: string;
  /** `path`, `query` or `header`; empty for members. */
  where: string;
  required: boolean;
  /** `integer, 1 to 200` */
  type: string;
  /** The schema it is of, where that has a name. */
  schema: string;
  description: string;
}

/** The members of a schema, nested ones after the one they are in. Those of a named schema are described under its name. */
export function fieldsOf(schema: JsonSchema, before = ''): Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([member, its]) => {
    const name = before + member;
    const field: Field = {
      name,
      where: '',
      required: schema.required?.includes(member) ?? false,
      description: its.description ?? '',
      ...typeText(its),
    };
    const inside = its.anyOf?.find((one) => one.type !== 'null') ?? its;
    if (inside.properties) return [field, ...fieldsOf(inside, `${name}.`)];
    return inside.items?.properties ? [field, ...fieldsOf(inside.items, `${name}[].`)] : [field];
  });
}

/** A type in words, with what bounds it. */
export function typeText(schema: JsonSchema): { type: string; schema: string } {
  const [named, prefix] = schema.items ? [schema.items, 'array of '] : [schema, ''];
  const reference = (named.$ref ?? named.anyOf?.find((one) => one.$ref)?.$ref)?.replace('#/components/schemas/', '');
  const isNullable = schema.anyOf?.some((one) => one.type === 'null') || [schema.type].flat().includes('null');
  const nullable = isNullable ? ' or null' : '';
  if (reference !== undefined) return { type: `${prefix}${reference}${nullable}`, schema: reference };
  const [inner = schema, ...others] = (schema.anyOf ?? []).filter((one) => one.type !== 'null');
  if (others.length > 0) {
    return { type: [inner, ...others].map((one) => typeText(one).type).join(', or '), schema: '' };
  }
  const values = inner.enum ?? (inner.const === undefined ? undefined : [inner.const]);
  const words = [
    values ? values.map((value) => JSON.stringify(value)).join(' or ') : baseText(inner),
    rangeText(inner),
    schema.default === undefined ? '' : `default ${JSON.stringify(schema.default)}`,
  ];
  return { type: words.filter(Boolean).join(', ') + nullable, schema: '' };
}

function baseText({ type: types = 'any', format, items, properties }: JsonSchema): string {
  const [type = 'any'] = [types].flat();
  if (type === 'array') return `array of ${String(items?.type)}s`;
  if (properties) return 'object';
  return format === 'date-time' ? 'date and time' : type;
}

function rangeText({ type, minimum, maximum, maxLength, maxItems }: JsonSchema): string {
  const count = (value: unknown): string => (value as number).toLocaleString('en');
  if (minimum !== undefined && maximum !== undefined) return `${count(minimum)} to ${count(maximum)}`;
  if (type === 'string' && maxLength !== undefined) return `up to ${count(maxLength)} characters`;
  return typeof maxItems === 'number' ? `up to ${count(maxItems)}` : '';
}
