module.exports = {
  extension: ['ts'],
  require: ['./test/support/hooks.ts'],
  reporter: './test/support/reporter.ts',
  // Room for a slow machine with two cores; a test that hangs still ends.
  timeout: 30_000,
  slow: 1_000,
  forbidOnly: Boolean(process.env.CI),
};
