/** The templates that servers are made from. */
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { queries } from '../../live/cache';
import { day } from '../../ui/format';
import { PlusIcon } from '../../ui/icons';
import { Loaded } from '../../ui/loaded';
import { LongList } from '../../ui/long_list';
import { TableBox } from '../../ui/table_box';
import { useTitle } from '../../ui/title';

/** In place of an id: a template that does not exist yet. */
export const NEW = 'new';

export function TemplatesPage() {
  useTitle('Templates');
  const query = useQuery(queries.templates);
  return (
    <>
      <div className="page-head">
        <h1>Templates</h1>
        <Link to="/admin/templates/$templateId" params={{ templateId: NEW }} className="button" data-look="primary">
          <PlusIcon />
          <span>Write a template</span>
        </Link>
      </div>
      <Loaded query={query} what="the templates">
        {({ items }) => items.length === 0 ? (
          <div className="empty">
            <h2>No templates yet</h2>
            <p>A template says how a game is installed, started and stopped. Without one no server can be created.</p>
          </div>
        ) : (
          <LongList items={items} one="template" text={(template) => `${template.name} ${template.slug} ${template.description}`}>
            {(shown) => (
              <TableBox label="Templates" stacks>
                <thead>
                  <tr>
                    <th>Template</th>
                    <th className="number">Version</th>
                    <th className="number">Servers</th>
                    <th>Changed</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.map((template) => (
                    <tr key={template.id}>
                      <td>
                        <Link to="/admin/templates/$templateId" params={{ templateId: template.id }}>
                          {template.name}
                        </Link>
                        <p className="muted small">{template.description}</p>
                      </td>
                      <td className="number" data-label="Version">{template.version}</td>
                      <td className="number" data-label="Servers">{template.servers}</td>
                      <td data-label="Changed">{template.builtin ? 'came with NodePanel' : day(template.updated_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </TableBox>
            )}
          </LongList>
        )}
      </Loaded>
    </>
  );
}
