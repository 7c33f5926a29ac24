import type { TestFragment } from '../gql/graphql.ts';
import { duration } from '../lib/time.ts';
import { Badge } from '../ui/badges.tsx';

// What became of a test.
export function TestOutcome({ result }: { result: TestFragment }) {
  return (
    <div className={result.success ? 'outcome good' : 'outcome bad'}>
      <p className="outcome-head">
        <Badge tone={result.success ? 'good' : 'bad'}>{result.success ? 'Worked' : 'Failed'}</Badge>
        <span className="muted small">
          {result.statusCode !== null && `Status ${result.statusCode} · `}
          {duration(result.durationMs)}
        </span>
      </p>
      <p className="outcome-message">{result.message}</p>
      {result.response && (
        <details className="answer" open={!result.success}>
          <summary>What the other side answered</summary>
          <pre tabIndex={0}>{result.response}</pre>
        </details>
      )}
    </div>
  );
}
