import type { Dialect, DialectRoute } from './dialect.ts';

export interface MatchedRoute {
  /** `/v1/api-keys/{id}`, for logs and metrics. */
  path: string;
  /** By method. */
  routes: Readonly<Record<string, TableRoute>>;
  parameters: Readonly<Record<string, string>>;
}

export interface TableRoute {
  route: DialectRoute;
  /** Whose names, forms and errors count. */
  dialect: Dialect;
}

/** The routes of several dialects as one table; of two that answer the same request the first dialect's counts. */
export function createRouteTable(dialects: readonly Dialect[]): (path: string) => MatchedRoute | null {
  const fixed = new Map<string, Entry>();
  const patterns = new Map<string, Entry>();
  for (const dialect of dialects) {
    for (const [key, route] of Object.entries(dialect.routes)) {
      const [method = '', path = ''] = key.split(' ');
      const shape = path.replaceAll(/\{[^}]+\}/g, '{}');
      const table = shape === path ? fixed : patterns;
      const entry = table.get(shape) ?? { path, segments: path.split('/'), routes: {} };
      table.set(shape, entry);
      entry.routes[method] ??= { route, dialect };
    }
  }

  return (path) => {
    const exact = fixed.get(path);
    if (exact) return { path: exact.path, routes: exact.routes, parameters: {} };
    const segments = path.split('/');
    for (const entry of patterns.values()) {
      const parameters = match(entry.segments, segments);
      if (parameters) return { path: entry.path, routes: entry.routes, parameters };
    }
    return null;
  };
}

interface Entry {
  path: string;
  segments: string[];
  routes: Record<string, TableRoute>;
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const parameters: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index] ?? '';
    if (!part.startsWith('{')) {
      if (part !== segment) return null;
    } else {
      // Identifiers are of these characters; nothing else needs decoding.
      if (!/^[A-Za-z0-9._~-]{1,128}$/.test(segment)) return null;
      parameters[part.slice(1, -1)] = segment;
    }
  }
  return parameters;
}
