using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>A command over paths: one that fails is a non-terminating error, and the rest go on.</summary>
internal abstract class PathCommand : PSCmdlet
{
    private const string ByPath = "Path";
    private const string ByLiteralPath = "LiteralPath";

    [Parameter(Position = 0, ParameterSetName = ByPath, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public virtual string[] Path { get; set; } = [];

    [Parameter(Mandatory = true, ParameterSetName = ByLiteralPath, ValueFromPipelineByPropertyName = true)]
    [Alias("PSPath", "LP")]
    [ValidateNotNullOrEmpty]
    public string[] LiteralPath { get; set; } = [];

    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>The paths as given.</summary>
    private protected string[] Paths => Literal ? LiteralPath : Path;

    /// <summary>The paths are names, not patterns.</summary>
    private protected bool Literal => ParameterSetName == ByLiteralPath;

    protected override void ProcessRecord()
    {
        foreach (string path in Paths)
        {
            Try(path, () => Process(path));
        }
    }

    /// <summary>Does the command's work for one path.</summary>
    private protected abstract void Process(string path);

    /// <summary>The file system paths that <paramref name="path"/> stands for.</summary>
    private protected Collection<string> FilesOf(string path) =>
        Literal ? [GetUnresolvedProviderPathFromPSPath(path)] : GetResolvedProviderPathFromPSPath(path, out _);

    /// <summary>Runs <paramref name="work"/>; what fails there is reported for <paramref name="path"/>.</summary>
    private protected void Try(string path, Action work)
    {
        try
        {
            work();
        }
        catch (RuntimeException e) when (e is not PipelineStoppedException)
        {
            WriteError(new ErrorRecord(e.ErrorRecord, e));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            WriteError(new ErrorRecord(e, $"{e.GetType().Name},{MyInvocation.MyCommand.Name}", ErrorCategory.NotSpecified, path));
        }
    }
}
