using System.Management.Automation;

namespace Qcow2.PowerShell.Tests.Help.Samples;

[Cmdlet(VerbsCommon.Clear, "HelpSample")]
public sealed class ClearHelpSampleCommand : PSCmdlet
{
    /// <summary>Documented.</summary>
    [Parameter]
    public string? Told { get; set; }

    [Parameter]
    public string? Untold { get; set; }
}
