using System.Management.Automation;

namespace Qcow2.Shell.Commands;

/// <summary>Objects under the type names of pwsh's own commands, for which the engine has the views.</summary>
internal static class EngineViews
{
    /// <summary>An object of <paramref name="members"/> that is shown as <paramref name="typeName"/> is.</summary>
    internal static PSObject Describe(string typeName, params ReadOnlySpan<(string Name, object? Value)> members)
    {
        PSObject result = new();
        result.TypeNames.Insert(0, typeName);
        foreach ((string name, object? value) in members)
        {
            result.Properties.Add(new PSNoteProperty(name, value));
        }

        return result;
    }
}
