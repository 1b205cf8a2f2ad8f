import { type Browser, chromium } from 'playwright-core';
import { findBinary } from './servers/find-binary.ts';

const QUIET = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Containers give /dev/shm too little room.
  '--disable-dev-shm-usage',
];

export function chromiumAvailable(): boolean {
  return chromiumPath() !== undefined;
}

/** The system's Chromium. A test opens a context of its own: `browser.newContext()`. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = chromiumPath();
  if (!executablePath) throw new Error('Chromium is not installed');
  // Chromium's sandbox refuses to run as root.
  const args = process.getuid?.() === 0 ? [...QUIET, '--no-sandbox'] : QUIET;
  return await chromium.launch({ executablePath, args, timeout: 60_000 });
}

function chromiumPath(): string | undefined {
  return findBinary('chromium', 'chromium-browser', 'google-chrome');
}
