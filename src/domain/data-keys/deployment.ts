import { sha256 } from '../../kit/digest.ts';
import type { DataKeys } from './load-data-keys.ts';

/** The name of the deployment in stores that others use too: the same for all processes on one database, another one for every other. */
export const deploymentName = ({ digest }: DataKeys): string =>
  sha256(`deployment ${digest.toString('base64url')}`)
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 12);
