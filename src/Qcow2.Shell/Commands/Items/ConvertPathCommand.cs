using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Convert-Path: the provider's own form of a path, such as a file system path.</summary>
[Cmdlet(VerbsData.Convert, "Path", DefaultParameterSetName = "Path")]
[OutputType(typeof(string))]
internal sealed class ConvertPathCommand : PathCommand
{
    private protected override void Process(string path) =>
        WriteObject(GetResolvedProviderPathFromPSPath(Literal ? WildcardPattern.Escape(path) : path, out _), enumerateCollection: true);
}
