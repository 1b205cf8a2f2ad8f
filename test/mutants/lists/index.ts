import type { Mutant } from '../mutant.ts';
import { API } from './api.ts';
import { CLIENTS } from './clients.ts';
import { CONFIG } from './config.ts';
import { GRANTS } from './grants.ts';
import { HTTP } from './http.ts';
import { KIT } from './kit.ts';
import { LOGIN } from './login.ts';
import { PAGES } from './pages.ts';
import { PROOFS } from './proofs.ts';
import { ROWS } from './rows.ts';
import { STORAGE } from './storage.ts';

export const MUTANTS: readonly Mutant[] = [
  ...CLIENTS,
  ...GRANTS,
  ...PROOFS,
  ...PAGES,
  ...LOGIN,
  ...API,
  ...HTTP,
  ...KIT,
  ...ROWS,
  ...CONFIG,
  ...STORAGE,
];
