using System.Management.Automation;

namespace Qcow2.PowerShell.Tests.Help.Samples;

/// <summary>The base of samples.</summary>
public abstract class SampleCommandBase : PSCmdlet
{
    /// <summary>The files.</summary>
    [Parameter(ParameterSetName = "Path", Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [SupportsWildcards]
    public string[] Path { get; set; } = [];

    /// <summary>The files, as they stand.</summary>
    [Parameter(ParameterSetName = "LiteralPath", Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    public string[] LiteralPath { get; set; } = [];

    /// <summary>Declared in the base class.</summary>
    [Parameter]
    public virtual string? Inherited { get; set; }
}
