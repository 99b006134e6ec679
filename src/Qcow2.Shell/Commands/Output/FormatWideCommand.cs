using System.Management.Automation;
using Microsoft.PowerShell.Commands.Internal.Format;
using Qcow2.Shell.Engine;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Format-Wide: the engine's own formatter.</summary>
[Cmdlet(VerbsCommon.Format, "Wide")]
internal sealed class FormatWideCommand : OuterFormatTableAndListBase
{
    public FormatWideCommand() => EngineInternals.FormatAs(this, "Wide");
}
