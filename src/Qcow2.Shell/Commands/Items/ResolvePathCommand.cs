using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Resolve-Path: the paths that a pattern stands for.</summary>
[Cmdlet(VerbsDiagnostic.Resolve, "Path", DefaultParameterSetName = "Path")]
[OutputType(typeof(PathInfo), typeof(string))]
internal sealed class ResolvePathCommand : PathCommand
{
    [Parameter]
    public SwitchParameter Relative { get; set; }

    private protected override void Process(string path)
    {
        string pattern = Literal ? WildcardPattern.Escape(path) : path;
        foreach (PathInfo found in SessionState.Path.GetResolvedPSPathFromPSPath(pattern))
        {
            WriteObject(Relative ? RelativeTo(found) : found);
        }
    }

    private string RelativeTo(PathInfo found)
    {
        string relative = System.IO.Path.GetRelativePath(SessionState.Path.CurrentFileSystemLocation.ProviderPath, found.ProviderPath);
        return relative.StartsWith('.') ? relative : System.IO.Path.Combine(".", relative);
    }
}
