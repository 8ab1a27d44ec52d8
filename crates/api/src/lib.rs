//! The HTTP edge: `/api/v1`, the panel, health and metrics. It turns requests into use-cases of `control` and their
//! answers into JSON; it decides nothing itself.

mod admission;
mod app;
mod docs_page;
mod edge;
mod health;
mod panel;
mod session_renewal;
mod sockets;
mod state;
mod telemetry;
mod v1;

pub use admission::Admission;
pub use app::router;
pub use edge::{ForwardedHeader, Network, NetworkError, Proxies};
pub use panel::{PanelFile, PanelFiles};
pub use sockets::Sockets;
pub use state::ApiState;
pub use telemetry::{MetricsHandle, install_metrics};
pub use v1::document;
