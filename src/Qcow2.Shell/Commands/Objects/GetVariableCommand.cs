using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Get-Variable: the variables of the session.</summary>
[Cmdlet(VerbsCommon.Get, "Variable")]
internal sealed class GetVariableCommand : PSCmdlet
{
    [Parameter(Position = 0, ValueFromPipeline = true)]
    public string[] Name { get; set; } = ["*"];

    [Parameter]
    public SwitchParameter ValueOnly { get; set; }

    [Parameter]
    public string? Scope { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string name in Name)
        {
            PSVariable[] found = [.. Find(name)];
            if (found.Length == 0 && !WildcardPattern.ContainsWildcardCharacters(name))
            {
                ItemNotFoundException reason = new($"Cannot find a variable with the name '{name}'.");
                WriteError(new ErrorRecord(reason, "VariableNotFound", ErrorCategory.ObjectNotFound, name));
            }

            WriteObject(ValueOnly ? found.Select(v => v.Value) : found, enumerateCollection: !ValueOnly || found.Length != 1);
        }
    }

    private IEnumerable<PSVariable> Find(string name)
    {
        if (!WildcardPattern.ContainsWildcardCharacters(name))
        {
            return SessionState.PSVariable.Get(Scope is null ? name : $"{Scope}:{name}") is { } one ? [one] : [];
        }

        return InvokeProvider.Item.Get([$"Variable:{name}"], force: true, literalPath: false)
            .Select(v => v.BaseObject).OfType<PSVariable>();
    }
}
