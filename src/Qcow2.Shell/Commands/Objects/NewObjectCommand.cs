using System.Collections;
using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>New-Object: an object of a .NET type.</summary>
[Cmdlet(VerbsCommon.New, "Object")]
internal sealed class NewObjectCommand : PSCmdlet
{
    private const string ConvertAndConstruct = "param($Type, $Arguments) $Type::new.Invoke($Arguments)";

    [Parameter(Mandatory = true, Position = 0)]
    public string TypeName { get; set; } = "";

    [Parameter(Position = 1)]
    [Alias("Args")]
    public object[] ArgumentList { get; set; } = [];

    [Parameter]
    public IDictionary? Property { get; set; }

    protected override void EndProcessing()
    {
        PSObject created = Create(TypeName);
        foreach (DictionaryEntry entry in Property ?? new Hashtable())
        {
            string name = entry.Key.ToString()!;
            if (created.Properties[name] is { } existing)
            {
                existing.Value = entry.Value;
            }
            else
            {
                created.Properties.Add(new PSNoteProperty(name, entry.Value));
            }
        }

        WriteObject(created);
    }

    private PSObject Create(string name)
    {
        if (name.Equals("PSObject", StringComparison.OrdinalIgnoreCase) || name.Equals("PSCustomObject", StringComparison.OrdinalIgnoreCase))
        {
            return new PSObject();
        }

        if (LanguagePrimitives.TryConvertTo(name, out Type type))
        {
            return Construct(type, [.. ArgumentList.Select(a => a is PSObject wrapped ? wrapped.BaseObject : a)]);
        }

        PSArgumentException reason = new($"Cannot find type [{name}]: verify that the assembly containing this type is loaded.");
        ThrowTerminatingError(new ErrorRecord(reason, "TypeNotFound", ErrorCategory.InvalidType, name));
        return null!;
    }

    // The arguments as they are, if a constructor takes them so; else as the language would convert them.
    private PSObject Construct(Type type, object[] arguments)
    {
        try
        {
            return new PSObject(Activator.CreateInstance(type, arguments)!);
        }
        catch (MissingMethodException)
        {
            return InvokeCommand.InvokeScript(ConvertAndConstruct, type, arguments)[0];
        }
    }
}
