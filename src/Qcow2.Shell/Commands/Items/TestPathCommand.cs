using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Test-Path: whether something is at a path.</summary>
[Cmdlet(VerbsDiagnostic.Test, "Path", DefaultParameterSetName = "Path")]
[OutputType(typeof(bool))]
internal sealed class TestPathCommand : PathCommand
{
    [Parameter]
    [Alias("Type")]
    public TestPathType PathType { get; set; } = TestPathType.Any;

    [Parameter]
    public SwitchParameter IsValid { get; set; }

    private protected override void Process(string path) =>
        WriteObject(IsValid ? SessionState.Path.IsValid(path) : InvokeProvider.Item.Exists(path, Force, Literal) && HasType(path));

    private bool HasType(string path) => PathType == TestPathType.Any
        || InvokeProvider.Item.IsContainer(Literal ? WildcardPattern.Escape(path) : path) == (PathType == TestPathType.Container);
}
