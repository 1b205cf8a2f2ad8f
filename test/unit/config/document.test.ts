import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SETTINGS } from '../../../src/config/config.ts';
import { configurationPage } from '../../../src/config/document.ts';

const committed = join(import.meta.dirname, '../../../docs/configuration.md');

describe('docs/configuration.md', () => {
  it('is what the settings say now; `npm run docs` writes it', () => {
    expect(readFileSync(committed, 'utf8')).to.equal(configurationPage());
  });

  it('has every setting once, with its meaning', () => {
    const page = configurationPage();
    for (const [name, { description }] of Object.entries(SETTINGS)) {
      expect(page.split(`\n| \`${name}\` |`), name).to.have.length(2);
      expect(description, name).to.match(/\.$/);
    }
  });

  it('does not depend on the machine that writes it', () => {
    expect(configurationPage()).to.match(/`GATEHOUSE_PASSWORD_CONCURRENCY` \| 1 to 64 \| {2}\| /);
  });

  it('tells values and defaults as they are written in the environment', () => {
    const page = configurationPage();
    expect(page).to.include('| `PORT` | 1 to 65535 | `3000` |');
    expect(page).to.include('| `GATEHOUSE_JOBS` | `inline`, `off` | `inline` |');
    expect(page).to.include('| `GATEHOUSE_CODE_LIFETIME` | duration, 10s to 10m | `60s` |');
  });
});
