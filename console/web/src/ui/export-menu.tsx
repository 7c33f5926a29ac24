// The list as a file: all that its filter matches, not only what is read so far.
import { exportURL } from '../base.ts';
import { Menu } from './dialog.tsx';
import { DownloadIcon } from './icons.tsx';

type Filter = { [field: string]: string | number | boolean | readonly string[] | null | undefined };

// The filter is the one of the API, AlertFilter or DeliveryFilter: /export takes its fields as parameters.
export function ExportMenu({ path, filter }: { path: 'alerts' | 'deliveries'; filter: Filter }) {
  const href = (format: string) => {
    const url = exportURL(path);
    url.searchParams.set('format', format);
    for (const [field, value] of Object.entries(filter)) {
      for (const one of [value ?? []].flat()) url.searchParams.append(field, String(one));
    }
    return url.href;
  };
  return (
    <Menu
      label={`Export these ${path}`}
      trigger={
        <>
          <DownloadIcon />
          <span className="export-word">Export</span>
        </>
      }
      entries={[
        { id: 'csv', label: 'As CSV', icon: DownloadIcon, href: href('csv'), download: true },
        { id: 'jsonl', label: 'As JSON Lines', icon: DownloadIcon, href: href('jsonl'), download: true },
      ]}
    />
  );
}
