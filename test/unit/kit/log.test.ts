import { expect } from 'chai';
import { createLog } from '../../../src/kit/log.ts';

describe('the log', () => {
  function logged(write: (log: ReturnType<typeof createLog>) => void): string {
    let text = '';
    write(
      createLog({
        level: 'trace',
        destination: {
          write(line: string) {
            text += line;
          },
        },
      }),
    );
    return text;
  }

  it('replaces what could be a credential, whatever object it is in', () => {
    const value = 'a value that opens something';
    for (const name of [
      'password',
      'secret',
      'token',
      'client_secret',
      'client_assertion',
      'access_token',
      'refresh_token',
      'id_token',
      'code_verifier',
      'authorization',
      'cookie',
      'Authorization',
      'PASSWORD',
    ]) {
      expect(
        logged((log) => log.info({ [name]: value }, 'x')),
        name,
      ).to.not.contain(value);
      expect(
        logged((log) => log.info({ request: { [name]: value } }, 'x')),
        name,
      ).to.not.contain(value);
    }
    expect(logged((log) => log.info({ password: value }, 'x'))).to.contain('"password":"[redacted]"');
  });

  it('shows what happened: the error, its cause and where', () => {
    const error = new Error('it broke', { cause: new Error('because of this') });
    const line = JSON.parse(logged((log) => log.error({ err: error }, 'failed'))) as {
      err: { message: string; stack: string; cause: { message: string } };
    };
    expect(line.err.message).to.equal('it broke');
    expect(line.err.cause.message).to.equal('because of this');
    expect(line.err.stack).to.contain('log.test.ts');
  });

  it('takes connection strings and bound values out of the errors of drivers', () => {
    const error = new Error(
      "insert into accounts (email) values ('grace@example.com') - connect failed to postgres://user:pass-word@db:5432/x",
    );
    const text = logged((log) => log.error({ err: error }, 'failed'));
    expect(text).to.not.contain('grace@example.com').and.to.not.contain('pass-word');
    expect(text).to.contain('connect failed');
  });

  it('is one JSON object per line, with the level in words and the time in UTC', () => {
    const line = JSON.parse(logged((log) => log.warn({ x: 1 }, 'multi\nline')));
    expect(line).to.include({ level: 'warn', x: 1, msg: 'multi\nline' });
    expect(line.time).to.match(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(
      logged((log) => log.warn('multi\nline'))
        .trim()
        .split('\n'),
    ).to.have.length(1);
  });

  it('leaves the object it was given as it was', () => {
    const given = { password: 'x', nested: { token: 'y' } };
    logged((log) => log.info(given, 'x'));
    expect(given).to.deep.equal({ password: 'x', nested: { token: 'y' } });
  });
});
