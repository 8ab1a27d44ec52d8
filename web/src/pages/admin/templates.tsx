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
        {({ items }) => (
          <LongList items={items} one="template" text={(template) => `${template.name} ${template.slug} ${template.description}`}>
            {(shown) => (
              <TableBox label="Templates">
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
                      <td className="number">{template.version}</td>
                      <td className="number">{template.servers}</td>
                      <td>{template.builtin ? 'came with NodePanel' : day(template.updated_at)}</td>
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
