using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>A command that goes to another location.</summary>
internal abstract class LocationCommand : PSCmdlet
{
    [Parameter(Position = 0, ParameterSetName = "Path", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public string? Path { get; set; }

    [Parameter(Mandatory = true, ParameterSetName = "LiteralPath", ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    public string? LiteralPath { get; set; }

    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>Goes to the path given, or home.</summary>
    private protected void Go()
    {
        string path = LiteralPath is null ? Path ?? "~" : WildcardPattern.Escape(LiteralPath);
        PathInfo location = SessionState.Path.SetLocation(path);
        if (PassThru)
        {
            WriteObject(location);
        }
    }
}
