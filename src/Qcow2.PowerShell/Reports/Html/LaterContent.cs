using System.Xml.Linq;

namespace Qcow2.PowerShell.Reports.Html;

/// <summary>
/// Elements that follow an element's own content and are made one after the other while they are written, so that a report of a thousand images is never in memory as a whole.
/// </summary>
/// <param name="Elements">Makes them.</param>
internal sealed record LaterContent(IEnumerable<XElement> Elements);
