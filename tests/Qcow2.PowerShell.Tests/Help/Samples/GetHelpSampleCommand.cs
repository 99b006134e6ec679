using System.Management.Automation;

namespace Qcow2.PowerShell.Tests.Help.Samples;

/// <summary>Gets samples.</summary>
/// <remarks>It gets them.</remarks>
/// <example><code>Get-HelpSample</code></example>
[Cmdlet(VerbsCommon.Get, "HelpSample")]
public sealed class GetHelpSampleCommand : PSCmdlet
{
    /// <summary>How many.</summary>
    [Parameter]
    public int Count { get; set; } = 3;
}
