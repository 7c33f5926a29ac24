import type { Role } from '../gql/graphql.ts';
import { session } from '../api/session.ts';
import { useStore } from './store.ts';

const ranks: Role[] = ['REPORTER', 'VIEWER', 'ANALYST', 'ADMIN'];

// Whether whoever is signed in has this role, or one that may more. What somebody may not do is not offered.
export function useMay(role: Role): boolean {
  const { viewer } = useStore(session);
  return viewer ? ranks.indexOf(viewer.role) >= ranks.indexOf(role) : false;
}
