import { useEffect } from 'react';
import { Feed, feed } from './api/feed.ts';
import { queryClient } from './api/queries.ts';
import { session } from './api/session.ts';
import { useStore } from './lib/store.ts';
import { Layout } from './layout.tsx';
import { SignIn } from './sign-in.tsx';

// The page of whoever is signed in, or the way in. The address stays, so that signing in leads back to where one was.
export function App() {
  const { viewer, problem } = useStore(session);
  const live = useStore(feed);

  useEffect(() => {
    if (!viewer) return;
    const opened = new Feed();
    feed.set(opened);
    const unfollow = opened.era.subscribe(() => void queryClient.resetQueries());
    return () => {
      unfollow();
      opened.end();
      feed.set(null);
      queryClient.clear();
    };
  }, [viewer]);

  if (viewer === null) return <SignIn problem={problem} />;
  if (!viewer || !live) return <p className="starting" role="status">{problem || 'Loading…'}</p>;
  return <Layout viewer={viewer} feed={live} />;
}
