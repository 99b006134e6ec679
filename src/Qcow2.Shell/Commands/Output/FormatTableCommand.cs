using System.Management.Automation;
using Microsoft.PowerShell.Commands.Internal.Format;
using Qcow2.Shell.Engine;

namespace Qcow2.Shell.Commands.Output;

/// <summary>Format-Table: the engine's own formatter.</summary>
[Cmdlet(VerbsCommon.Format, "Table")]
internal sealed class FormatTableCommand : OuterFormatTableBase
{
    public FormatTableCommand() => EngineInternals.FormatAs(this, "Table");
}
