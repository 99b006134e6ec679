using System.Management.Automation;
using Microsoft.PowerShell.Commands.Internal.Format;
using Qcow2.Shell.Engine;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Format-List: the engine's own formatter.</summary>
[Cmdlet(VerbsCommon.Format, "List")]
internal sealed class FormatListCommand : OuterFormatTableAndListBase
{
    public FormatListCommand() => EngineInternals.FormatAs(this, "List");
}
