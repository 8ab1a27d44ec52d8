/** Which game. */
import type { TemplateSummary } from '../../api/types';

interface GameStepProps {
  templates: readonly TemplateSummary[];
  chosen: string | null;
  onChoose: (template: string) => void;
}

export function GameStep({ templates, chosen, onChoose }: GameStepProps) {
  if (templates.length === 0) {
    return (
      <div className="empty">
        <p>There are no templates. An administrator can add some under Administration, Templates.</p>
      </div>
    );
  }
  return (
    <ul className="games">
      {templates.map((template) => (
        <li key={template.id}>
          <button type="button" className="card" aria-current={template.id === chosen || undefined} onClick={() => onChoose(template.id)}>
            <strong>{template.name}</strong>
            <span className="muted">{template.description}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
