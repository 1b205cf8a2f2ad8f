import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { createRenderer } from '../../../src/http/render.ts';

const viewsDirectory = join(import.meta.dirname, '../../../views');
const { render } = createRenderer({ viewsDirectory, basePath: '' });

const SIGN_IN = { clientName: 'Acme Notes', action: '/sign-in', cancelAction: '/cancel', csrfToken: 'c5rf', email: '' };
const CONSENT = {
  clientName: 'Acme Notes',
  clientId: 'https://notes.example/client.json',
  redirectHost: 'notes.example',
  redirectIsLocal: false,
  account: { name: 'Ada Lovelace', email: 'ada@example.com' },
  action: '/allow',
  denyAction: '/deny',
  switchAccountAction: '/switch',
  csrfToken: 'c5rf',
  groups: [
    {
      heading: 'With the Notes API it can',
      audience: 'https://api.example/v1',
      scopes: [
        { name: 'notes:read', description: 'Read your notes', isNew: false },
        { name: 'notes:write', description: 'Change your notes', isNew: true },
      ],
    },
  ],
  claims: ['Your name'],
  lifetimeText: 'Access lasts 30 days.',
};
const SIGN_OUT = { action: '/sign-out', xsrf: 'x5rf', accountName: 'Ada Lovelace' };
const CONTINUE = {
  action: 'https://notes.example/callback',
  fields: [{ name: 'code', value: 'abc' }],
  buttonLabel: 'Continue',
  message: 'You are signed in.',
};
const ERROR = { status: 400, title: 'Expired', message: 'It is over.', next: 'Start again.', requestId: 'req_1' };
const HOME = {
  issuer: 'https://auth.example',
  discoveryUrl: '/.well-known/openid-configuration',
  version: '1.2.3',
  demo: false,
};

/** Every page with the least it needs, and with everything it can show. */
const PAGES: { view: string; least: object; most: object }[] = [
  {
    view: 'interactions/sign-in',
    least: SIGN_IN,
    most: { ...SIGN_IN, email: 'ada@example.com', error: 'Wrong.', notice: 'Again.', requestId: 'req_1' },
  },
  {
    view: 'interactions/consent',
    least: { ...CONSENT, groups: [], claims: [] },
    most: { ...CONSENT, redirectIsLocal: true },
  },
  { view: 'interactions/sign-out', least: SIGN_OUT, most: { ...SIGN_OUT, clientName: 'Acme Notes' } },
  { view: 'interactions/signed-out', least: {}, most: { clientName: 'Acme Notes' } },
  { view: 'interactions/continue', least: { ...CONTINUE, fields: [] }, most: CONTINUE },
  { view: 'errors/error', least: ERROR, most: { ...ERROR, backUrl: 'https://notes.example/', backLabel: 'Back' } },
  { view: 'home', least: HOME, most: { ...HOME, demo: true, jwksUrl: '/keys' } },
];

const HOSTILE = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onfocus='alert(1)' autofocus x='",
  '</title></textarea></main><form action=//evil.example>',
  '<%= it.csrfToken %>`\\',
  'W'.repeat(300),
  'دفتر \u202Egro.live',
  '✅ 👨‍👩‍👧 Verified',
];

interface Tag {
  name: string;
  attributes: Record<string, string>;
}

const ENTITIES: Record<string, string> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&#39;': "'", '&amp;': '&' };
const decode = (text: string): string =>
  text.replace(/&(?:lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity);

/** The tags of a page in order. Throws on any `<` that is not a tag written the way the templates write them. */
function tags(html: string): Tag[] {
  const found: Tag[] = [];
  const rest = html.replace(/<(\/?[a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)>/g, (_, name: string, text: string) => {
    const pairs = [...text.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)].map((m) => [m[1], decode(m[2] ?? '')]);
    found.push({ name, attributes: Object.fromEntries(pairs) });
    return '';
  });
  expect(rest.replace('<!doctype html>', '')).not.to.include('<');
  return found;
}

const outline = (html: string): string[] =>
  tags(html).map((tag) => [tag.name, ...Object.keys(tag.attributes)].join(' '));

const all = (html: string, name: string, attributes: Record<string, string> = {}): Tag[] =>
  tags(html).filter(
    (tag) => tag.name === name && Object.entries(attributes).every(([key, value]) => tag.attributes[key] === value),
  );

/** What a reader sees, on one line. */
const words = (html: string): string =>
  decode(html.replace(/^[\s\S]*<body>/, '').replace(/<[^>]*>/g, ' ')).replace(/\s+/g, ' ');

/** `data` with every text in it replaced, except the addresses that the templates themselves check. */
function filledWith(text: string, data: unknown, key = ''): unknown {
  if (key === 'backUrl' || data === CONTINUE.action) return data;
  if (typeof data === 'string') return data === '' ? '' : `${text} ${key}`;
  if (Array.isArray(data)) return data.map((item) => filledWith(text, item, key));
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, filledWith(text, value, name)]));
}

/** The forms of a page: where each posts to and what it carries. */
function forms(html: string): { action: string; method: string; fields: Record<string, string> }[] {
  return html
    .split('<form')
    .slice(1)
    .map((part) => {
      const html = `<form${part.slice(0, part.indexOf('</form>') + 7)}`;
      const [form] = all(html, 'form');
      const fields = all(html, 'input').map(({ attributes }) => [attributes.name, attributes.value ?? '']);
      return {
        action: form?.attributes.action ?? '',
        method: form?.attributes.method ?? '',
        fields: Object.fromEntries(fields),
      };
    });
}

describe('every page', () => {
  it('is covered here', () => {
    const views = readdirSync(viewsDirectory, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.eta'))
      .map((file) => file.replace('.eta', ''));
    // The page of the API is covered by unit/endpoints/api/openapi-page.test.ts.
    const here = views.filter((view) => !view.startsWith('api/'));
    expect(here.sort()).to.deep.equal(['layout', ...PAGES.map((page) => page.view)].sort());
    for (const view of views) {
      const raw = readFileSync(`${viewsDirectory}/${view}.eta`, 'utf8').match(/<%~.*?%>/g) ?? [];
      // The page itself, and the engine's own script, whose hash the policy names: escaped, it would be another script.
      const allowed = { layout: ['<%~ it.body %>'], 'interactions/continue': ['<%~ it.script %>'] }[view] ?? [];
      const own = raw.filter((tag) => !/^<%~ include\('\.\/[a-z]+', \{[^}]*\}\) %>$/.test(tag));
      expect(own, `unescaped output of ${view}`).to.deep.equal(allowed);
    }
  });

  for (const { view, least, most } of PAGES) {
    describe(view, () => {
      for (const [amount, data] of Object.entries({ least, most })) {
        it(`shows no text as markup (with the ${amount} it can show)`, () => {
          const expected = outline(render(view, data));
          const holds = (text: string) =>
            expect(outline(render(view, filledWith(text, data) as object))).to.deep.equal(expected);
          HOSTILE.forEach(holds);
          fc.assert(
            fc.property(fc.string({ unit: 'binary' }), (text) => void holds(text)),
            { numRuns: 50 },
          );
        });

        it(`works under a policy that allows no script, no inline style and no other origin (${amount})`, () => {
          const html = render(view, data);
          for (const { name, attributes } of tags(html)) {
            expect(name).not.to.match(/^(script|style|iframe|object|embed|base|svg|video|audio)$/);
            expect(Object.keys(attributes).filter((key) => key === 'style' || key.startsWith('on'))).to.deep.equal([]);
            if (name === 'img' || name === 'link') expect(attributes.src ?? attributes.href).to.match(/^\/assets\//);
          }
          expect(html).not.to.match(/javascript:|data:/i);
        });

        it(`has a language, a title, landmarks, one heading at the top and labels (${amount})`, () => {
          const html = render(view, data);
          expect(all(html, 'html', { lang: 'en' })).to.have.length(1);
          expect(html).to.match(/<title>\S.+ · Gatehouse<\/title>/);
          for (const name of ['header', 'main', 'h1']) expect(all(html, name), name).to.have.length(1);
          expect(tags(html).find((tag) => /^h\d$/.test(tag.name))?.name).to.equal('h1');

          const ids = tags(html).flatMap(({ attributes }) => attributes.id ?? []);
          expect(ids).to.deep.equal([...new Set(ids)]);
          for (const { attributes } of tags(html)) {
            const used = [attributes.for, attributes['aria-describedby'], attributes['aria-labelledby']]
              .join(' ')
              .split(' ');
            for (const id of used.filter(Boolean)) expect(ids).to.include(id);
          }
          const labelled = all(html, 'label').map(({ attributes }) => attributes.for);
          for (const { attributes } of all(html, 'input')) {
            if (attributes.type !== 'hidden') expect(labelled).to.include(attributes.id);
          }
          expect(words(html)).not.to.match(/undefined|null|\[object|NaN/);
        });
      }
    });
  }
});

describe('the sign-in page', () => {
  const page = (data: object = {}) => render('interactions/sign-in', { ...SIGN_IN, ...data });

  it('posts the email and password, and lets the user go back to the app, each with the CSRF token', () => {
    expect(forms(page({ email: 'ada@example.com' }))).to.deep.equal([
      { action: '/sign-in', method: 'post', fields: { csrf: 'c5rf', email: 'ada@example.com', password: '' } },
      { action: '/cancel', method: 'post', fields: { csrf: 'c5rf' } },
    ]);
    expect(words(page())).to.include('Cancel and return to Acme Notes');
  });

  it('lets a password manager fill it in', () => {
    expect(all(page(), 'input', { name: 'email', autocomplete: 'username' })).to.have.length(1);
    expect(
      all(page(), 'input', { name: 'password', type: 'password', autocomplete: 'current-password' }),
    ).to.have.length(1);
  });

  it('announces an error and ties it to both fields', () => {
    const html = page({ error: 'Wrong password.', email: 'ada@example.com' });
    expect(html).to.include('<title>Error: Sign in');
    expect(all(html, 'div', { id: 'form-error', role: 'alert' })).to.have.length(1);
    expect(all(html, 'input', { 'aria-invalid': 'true', 'aria-describedby': 'form-error' })).to.have.length(2);
    expect(page()).not.to.match(/aria-invalid|role="alert"|aria-describedby/);
  });

  it('starts in the first field to fill in', () => {
    const focused = (data: object) =>
      tags(page(data))
        .filter(({ attributes }) => 'autofocus' in attributes)
        .map((tag) => tag.attributes.name);
    expect(focused({})).to.deep.equal(['email']);
    expect(focused({ email: 'ada@example.com' })).to.deep.equal(['password']);
  });

  it('fixes the account when the user must sign in again', () => {
    const html = page({
      email: 'ada@example.com',
      emailReadonly: true,
      notice: 'Please sign in again to continue.',
      error: 'Wrong.',
    });
    const [email] = all(html, 'input', { name: 'email', value: 'ada@example.com' });
    expect(email?.attributes).to.include.keys('readonly');
    expect(email?.attributes).not.to.include.keys('aria-invalid');
    expect(words(html)).to.include('Please sign in again to continue.');
  });
});

describe('the consent page', () => {
  const page = (data: object = {}) => render('interactions/consent', { ...CONSENT, ...data });

  it('posts each of the three choices to its own address with the CSRF token', () => {
    const fields = { csrf: 'c5rf' };
    expect(forms(page())).to.deep.equal([
      { action: '/switch', method: 'post', fields },
      { action: '/allow', method: 'post', fields },
      { action: '/deny', method: 'post', fields },
    ]);
  });

  it('names the app, its id, where it returns to, the account, the resource, the scopes and the lifetime', () => {
    const text = words(page());
    for (const part of [
      'Acme Notes',
      'https://notes.example/client.json',
      'notes.example',
      'Ada Lovelace',
      'ada@example.com',
      'https://api.example/v1',
      'notes:read',
      'Read your notes',
      'Your name',
      'Access lasts 30 days.',
    ])
      expect(text).to.include(part);
  });

  it('shows the host alone in its own element, whatever the app calls itself', () => {
    const html = page({ clientName: 'Bank \u202E returns you to bank.example', redirectHost: 'evil.example' });
    expect(html).to.match(/<code class="host" id="app-host" dir="ltr" translate="no">evil\.example<\/code>/);
    expect(html).to.match(/<bdi translate="no">Bank returns you to bank\.example<\/bdi>/);
  });

  it('warns when the app says it runs on this device, and says so at the button', () => {
    expect(words(page({ redirectIsLocal: true }))).to.match(
      /runs on this device.*Only continue if you started it yourself/,
    );
    expect(page({ redirectIsLocal: true })).to.include('aria-describedby="app-name app-host local-warning"');
    expect(words(page())).not.to.include('this device');
  });

  it('marks what is new only beside what was allowed before', () => {
    const scope = { name: 's', description: 'd', isNew: true };
    expect(page().match(/class="badge"/g)).to.have.length(2);
    expect(page({ groups: [{ heading: 'h', scopes: [scope] }] })).not.to.include('badge');
  });

  it('names details about the person in plain words, and keeps the name of those it does not know', () => {
    const text = words(page({ claims: ['email_verified', 'given_name', 'favourite_colour'] }));
    expect(text).to.match(/Whether your email address is confirmed.*Your given name.*favourite_colour/);
    expect(words(page({ claims: ['constructor'] }))).to.include('constructor');
  });

  it('shows the id of an app whose name cannot be seen', () => {
    expect(page({ clientName: '\u200B\u3164 ' })).to.include(
      '<bdi translate="no">https://notes.example/client.json</bdi>',
    );
  });

  it('says what the app learns when it asks for nothing', () => {
    expect(words(page({ groups: [], claims: [] }))).to.include('only learns that you have an account');
  });
});

describe('the sign-out pages', () => {
  it('sign out only by the button that says so', () => {
    const html = render('interactions/sign-out', { ...SIGN_OUT, clientName: 'Acme Notes' });
    expect(forms(html)).to.deep.equal([{ action: '/sign-out', method: 'post', fields: { xsrf: 'x5rf' } }]);
    expect(html).to.match(/name="logout" value="yes">Sign out<\/button>/);
    expect(all(html, 'button', { name: 'logout' })).to.have.length(1);
    expect(all(html, 'button', { type: 'submit' })).to.have.length(2);
  });

  it('say who is signed in, who asks and what to do afterwards', () => {
    expect(words(render('interactions/sign-out', { ...SIGN_OUT, clientName: 'Acme Notes' }))).to.match(
      /Acme Notes asks.*signed in as Ada Lovelace/,
    );
    expect(words(render('interactions/signed-out', { clientName: 'Acme Notes' }))).to.include('go back to Acme Notes');
    expect(words(render('interactions/signed-out', {}))).to.include('You can close this page.');
  });
});

describe('the page that carries a form_post response', () => {
  it('returns every value unchanged', () => {
    for (const value of [...HOSTILE, 'a\u200Bb', '  two  spaces ', '']) {
      const html = render('interactions/continue', { ...CONTINUE, fields: [{ name: 'state', value }] });
      expect(forms(html)).to.deep.equal([{ action: CONTINUE.action, method: 'post', fields: { state: value } }]);
    }
  });

  it('posts to web addresses only', () => {
    expect(() => render('interactions/continue', { ...CONTINUE, action: 'javascript:alert(1)' })).to.throw();
  });
});

describe('the error page', () => {
  it('says what happened, what to do next and which request it was, once', () => {
    const text = words(render('errors/error', ERROR));
    for (const part of ['Error 400', 'Expired', 'It is over.', 'Start again.']) expect(text).to.include(part);
    expect(text.match(/req_1/g)).to.have.length(1);
  });

  it('links back to a web address only', () => {
    expect(all(render('errors/error', { ...ERROR, backUrl: 'https://notes.example/' }), 'a')).to.have.length(1);
    expect(all(render('errors/error', { ...ERROR, backUrl: 'javascript:alert(1)' }), 'a')).to.have.length(0);
  });

  it('can be shown with no more than a title, a message and a next step', () => {
    expect(words(render('errors/error', { ...ERROR, requestId: undefined }))).not.to.include('request ID');
  });
});

describe('the home page', () => {
  it('gives what an app needs to connect, and the first steps on a demonstration only', () => {
    const html = render('home', HOME);
    expect(words(html)).to.include('https://auth.example');
    expect(all(html, 'a').map(({ attributes }) => attributes.href)).to.deep.equal([
      '/.well-known/openid-configuration',
      '/jwks',
      '/v1/docs',
    ]);
    expect(words(html)).not.to.include('README');
    expect(words(render('home', { ...HOME, demo: true }))).to.include('README.md');
  });
});
