using System.Management.Automation;
using Qcow2.Shell.Engine;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Select-Object: some of the objects, or some of their properties.</summary>
[Cmdlet(VerbsCommon.Select, "Object")]
internal sealed class SelectObjectCommand : InputCommand
{
    private readonly Queue<PSObject> _tail = new();
    private readonly List<PSObject> _seen = [];
    private long _index = -1;
    private long _taken;

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? First { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? Last { get; set; }

    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int Skip { get; set; }

    [Parameter]
    public int[]? Index { get; set; }

    [Parameter]
    public string? ExpandProperty { get; set; }

    [Parameter]
    public string[] ExcludeProperty { get; set; } = [];

    [Parameter]
    public SwitchParameter Unique { get; set; }

    private protected override void Process(PSObject item)
    {
        _index++;
        if (Last is { } last)
        {
            _tail.Enqueue(item);
            if (_tail.Count > last + Skip)
            {
                _tail.Dequeue();
            }
        }
        else if (First is not { } first || _taken < first)
        {
            if (_index >= Skip && (Index is null || Index.Contains((int)_index)))
            {
                _taken++;
                Emit(item);
            }
        }

        if (Last is null && _taken >= First && !Unique)
        {
            EngineInternals.StopUpstream(this);
        }
    }

    protected override void EndProcessing()
    {
        while (_tail.Count > Skip)
        {
            Emit(_tail.Dequeue());
        }
    }

    private void Emit(PSObject item)
    {
        PSObject selected = Property.Length > 0 || ExcludeProperty.Length > 0 ? Project(item) : item;
        if (Unique && _seen.Exists(s => AreSame(s, selected)))
        {
            return;
        }

        if (Unique)
        {
            _seen.Add(selected);
        }

        if (ExpandProperty is null)
        {
            WriteObject(selected);
        }
        else
        {
            Expand(item);
        }
    }

    private PSObject Project(PSObject item)
    {
        PSObject result = new();
        result.TypeNames.Insert(0, "Selected." + item.TypeNames[0]);
        WildcardPattern[] excluded = [.. ExcludeProperty.Select(e => WildcardPattern.Get(e, WildcardOptions.IgnoreCase))];
        IEnumerable<PropertySelector> selectors = Selectors.Length > 0 ? Selectors : [new PropertySelector("*")];
        foreach ((string name, object? value) in selectors.SelectMany(s => s.Select(item)))
        {
            if (result.Properties[name] is null && !excluded.Any(e => e.IsMatch(name)))
            {
                result.Properties.Add(new PSNoteProperty(name, value));
            }
        }

        return result;
    }

    private void Expand(PSObject item)
    {
        if (item.Properties[ExpandProperty] is { } property)
        {
            WriteObject(property.Value, enumerateCollection: true);
        }
        else
        {
            string message = $"Property \"{ExpandProperty}\" cannot be found.";
            WriteError(new ErrorRecord(new PSArgumentException(message), "ExpandPropertyNotFound", ErrorCategory.InvalidArgument, item));
        }
    }

    private static bool AreSame(PSObject x, PSObject y) =>
        x.BaseObject is not PSCustomObject
            ? LanguagePrimitives.Equals(x, y)
            : x.Properties.All(p => LanguagePrimitives.Equals(p.Value, y.Properties[p.Name]?.Value));
}
