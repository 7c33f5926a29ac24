import './styles/base.css';
import './styles/ui.css';
import './styles/layout.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Router } from 'wouter';
import { queryClient } from './api/queries.ts';
import { followSession } from './api/session.ts';
import { App } from './app.tsx';
import { prefix } from './base.ts';
import { aroundNav } from './lib/leave.ts';
import { applyTheme } from './lib/theme.ts';
import { Boundary } from './ui/boundary.tsx';

applyTheme();
void followSession();

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Router base={prefix} aroundNav={aroundNav}>
        <Boundary onReset={() => location.reload()}>
          <App />
        </Boundary>
      </Router>
    </QueryClientProvider>
  </StrictMode>,
);
