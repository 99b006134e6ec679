using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Set-Variable: gives a variable a value.</summary>
[Cmdlet(VerbsCommon.Set, "Variable")]
internal sealed class SetVariableCommand : PSCmdlet
{
    private readonly List<object?> _input = [];

    [Parameter(Mandatory = true, Position = 0)]
    public string[] Name { get; set; } = [];

    [Parameter(Position = 1, ValueFromPipeline = true)]
    public object? Value { get; set; }

    [Parameter]
    public string? Scope { get; set; }

    protected override void ProcessRecord() => _input.Add(Value);

    protected override void EndProcessing()
    {
        object? value = _input is [var one] ? one : _input.ToArray();
        foreach (string name in Name)
        {
            SessionState.PSVariable.Set(Scope is null ? name : $"{Scope}:{name}", value);
        }
    }
}
