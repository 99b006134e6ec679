using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Join-Path: puts the parts of a path together.</summary>
[Cmdlet(VerbsCommon.Join, "Path")]
[OutputType(typeof(string))]
internal sealed class JoinPathCommand : PSCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath")]
    public string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, Position = 1)]
    [AllowEmptyString]
    public string[] ChildPath { get; set; } = [];

    [Parameter(Position = 2, ValueFromRemainingArguments = true)]
    [AllowEmptyString]
    public string[] AdditionalChildPath { get; set; } = [];

    [Parameter]
    public SwitchParameter Resolve { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            string joined = ChildPath.Concat(AdditionalChildPath).Aggregate(path, SessionState.Path.Combine);
            WriteObject(Resolve ? GetResolvedProviderPathFromPSPath(joined, out _) : joined, enumerateCollection: true);
        }
    }
}
