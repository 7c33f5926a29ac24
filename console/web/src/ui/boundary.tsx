import { Component, type ReactNode } from 'react';
import { Failure } from './states.tsx';

// Keeps the navigation when a view breaks, or its code cannot be loaded because a newer server has other parts.
export class Boundary extends Component<{ children: ReactNode; onReset: () => void }, { error: Error | null }> {
  override state = { error: null as Error | null };

  static getDerivedStateFromError = (error: Error) => ({ error });

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    if (/dynamically imported module|Importing a module/.test(error.message)) {
      return <Failure error={new Error('A part of the page could not be loaded: the server is away, or newer than the page.')} onRetry={() => location.reload()} />;
    }
    return (
      <Failure
        error={error}
        onRetry={() => {
          this.props.onReset();
          this.setState({ error: null });
        }}
      />
    );
  }
}
