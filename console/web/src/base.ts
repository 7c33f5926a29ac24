// Where things are. The server says in the page how to come from its address to the root, so that all of it may stand below a
// proxy's prefix.
const toRoot = document.querySelector<HTMLMetaElement>('meta[name="base"]')?.content ?? './';

const root = new URL(toRoot, location.href);

// The prefix of all paths, without a slash behind it: what the router calls its base.
export const prefix = root.pathname.replace(/\/$/, '');

export const graphqlURL = new URL('graphql', root);
export const sessionURL = new URL('session', root);
export const licensesURL = new URL('console/licenses.md', root).href;
export const exportURL = (what: 'alerts' | 'deliveries') => new URL(`export/${what}`, root);

// The playground, with a query in its editor that is ready to be run.
export function playgroundURL(query?: string, variables?: object): string {
  const url = new URL('playground', root);
  if (query) url.searchParams.set('query', `${query.replace(/^ {4}/gm, '').trim()}\n`);
  if (query && variables) url.searchParams.set('variables', JSON.stringify(variables, null, 2));
  return url.href;
}

export const pageURL = (path: string) => new URL(path.replace(/^\//, ''), root).href;

// The icon is named relatively, too, and the path changes.
const icon = document.querySelector<HTMLLinkElement>('link[rel=icon]');
if (icon) icon.href = icon.href;
