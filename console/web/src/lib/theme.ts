// Light or dark: as the system has it, unless somebody has chosen. The choice is kept in this browser.
import { Store } from './store.ts';

export type Theme = 'system' | 'light' | 'dark';

const key = 'rustbucket-alerts:theme';

const kept = (): Theme => {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system'; // storage is forbidden
  }
};

export const theme = new Store<Theme>(kept());

export function applyTheme() {
  const chosen = theme.get();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

export function chooseTheme(chosen: Theme) {
  theme.set(chosen);
  applyTheme();
  try {
    if (chosen === 'system') localStorage.removeItem(key);
    else localStorage.setItem(key, chosen);
  } catch {
    // It holds until the page is left.
  }
}
