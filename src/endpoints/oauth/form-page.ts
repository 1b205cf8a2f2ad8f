/** A form that posts itself, as read from the page the engine made of it. */
export interface FormPage {
  action: string;
  fields: { name: string; value: string }[];
  /** The script that submits it, whose hash is in the policy: it must stay as it is. */
  script: string;
}

/** The engine offers no hook for its form pages, only their HTML. Throws TypeError when that changes. */
export function readFormPage(html: string): FormPage {
  const script = /<script>(.*?)<\/script>/s.exec(html)?.[1];
  const action = /<form method="post" action="([^"]*)">/.exec(html)?.[1];
  if (script === undefined || action === undefined) throw new TypeError('the engine changed its form page');
  const fields = [...html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"\/>/g)].map(
    ([, name = '', value = '']) => ({
      name,
      value: unescapeHtml(value),
    }),
  );
  return { action: unescapeHtml(action), fields, script };
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
};

const unescapeHtml = (text: string): string =>
  text.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity);
