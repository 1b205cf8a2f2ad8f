import { expect } from 'chai';
import { accessibilityProblems } from '../support/e2e-browser.ts';
import { heading, NO_SCRIPT, openStage, PHONE, type Stage } from '../support/e2e-pages.ts';

describe('the page of the API in Chromium', () => {
  let stage: Stage;

  before(async function () {
    stage = await openStage('SQLite', this);
  });
  afterEach(() => stage.closeSurfers());
  after(() => stage?.close());

  it('is reached from the home page, without JavaScript too', async () => {
    const reader = await stage.surfer(NO_SCRIPT);
    const page = await reader.tab();
    await page.goto(`${stage.world.issuer}/`);
    await page.getByRole('link', { name: 'Every request and answer' }).click();
    expect(await heading(page)).to.equal('Gatehouse API');
    await page.getByRole('navigation').getByRole('link', { name: 'Create an API key' }).click();
    expect(new URL(page.url()).hash).to.equal('#createApiKey');
    const title = page.getByRole('heading', { name: 'Create an API key' });
    const box = await title.boundingBox();
    expect(box?.y).to.be.within(0, 200);
    const operation = page.getByRole('article', { name: 'Create an API key' });
    const errors = operation.getByText('idempotency_mismatch');
    expect(await errors.isVisible()).to.equal(false);
    await operation.getByText('Errors 400').click();
    expect(await errors.isVisible()).to.equal(true);
    expect(reader.complaints()).to.deep.equal([]);
  });

  it('can be skipped to and walked through with the keyboard', async () => {
    const reader = await stage.surfer();
    const page = await reader.tab();
    await page.goto(`${stage.world.issuer}/v1/docs`);
    await page.keyboard.press('Tab');
    const skip = page.getByRole('link', { name: 'Skip to the content' });
    expect(await skip.evaluate('document.activeElement.textContent')).to.equal('Skip to the content');
    expect((await skip.boundingBox())?.y).to.be.within(0, 40);
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).to.equal('content');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.getAttribute("href")')).to.equal('/v1/openapi.json');
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).to.equal('solid');
    expect(reader.complaints()).to.deep.equal([]);
  });

  it('is accessible', async function () {
    // The checker looks at each of some ten thousand elements.
    this.timeout(120_000);
    const reader = await stage.surfer();
    const page = await reader.tab();
    await page.goto(`${stage.world.issuer}/v1/docs`);
    await page.evaluate(OPEN_ALL);
    expect(await accessibilityProblems(page)).to.deep.equal([]);
    expect(reader.complaints()).to.deep.equal([]);
  });

  for (const [how, options] of [
    ['on a wide screen', {}],
    ['on a phone', PHONE],
    ['on the narrowest phone, or zoomed in four times', { ...PHONE, viewport: { width: 320, height: 640 } }],
  ] as const) {
    it(`fits and is readable in light and dark ${how}`, async function () {
      this.timeout(60_000);
      const reader = await stage.surfer(options);
      const page = await reader.tab();
      await page.goto(`${stage.world.issuer}/v1/docs`);
      await page.evaluate(OPEN_ALL);
      const [content, window] = await page.evaluate<[number, number]>(
        '[document.documentElement.scrollWidth, document.documentElement.clientWidth]',
      );
      expect(content).to.be.at.most(window);
      expect(await page.evaluate(CUT_OFF)).to.deep.equal([]);
      // Colours and sizes are the same in every operation: a few of them are enough for the checker.
      await page.evaluate('document.querySelectorAll("article").forEach((each, at) => at % 10 > 0 && each.remove())');
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        const rules = ['color-contrast', 'link-in-text-block', 'target-size'];
        expect(await accessibilityProblems(page, rules), colorScheme).to.deep.equal([]);
      }
      expect(reader.complaints()).to.deep.equal([]);
    });
  }
});

const OPEN_ALL = 'document.querySelectorAll("details").forEach((details) => { details.open = true; })';

/** The text of boxes that are too small for it. */
const CUT_OFF = `[...document.querySelectorAll('pre, td, th, p, summary')]
  .filter((box) => box.scrollWidth > box.clientWidth + 1)
  .map((box) => box.textContent)`;
