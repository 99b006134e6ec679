using System.Collections;
using System.Collections.ObjectModel;
using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Group-Object: the objects in groups of equal properties.</summary>
[Cmdlet(VerbsData.Group, "Object")]
internal sealed class GroupObjectCommand : InputCommand
{
    private readonly Dictionary<string, (object? Key, Collection<PSObject> Items)> _groups = new(StringComparer.CurrentCultureIgnoreCase);
    private readonly List<string> _order = [];

    [Parameter]
    public SwitchParameter NoElement { get; set; }

    [Parameter]
    [Alias("AHT")]
    public SwitchParameter AsHashTable { get; set; }

    private protected override void Process(PSObject item)
    {
        object?[] keys = Selectors.Length > 0 ? [.. Selectors.Select(s => s.ValueOf(item))] : [item];
        string name = string.Join(", ", keys.Select(LanguagePrimitives.ConvertTo<string>));
        if (!_groups.TryGetValue(name, out (object? Key, Collection<PSObject> Items) group))
        {
            group = (keys.Length == 1 ? keys[0] : name, []);
            _groups.Add(name, group);
            _order.Add(name);
        }

        group.Items.Add(item);
    }

    protected override void EndProcessing()
    {
        if (AsHashTable)
        {
            Hashtable table = new(StringComparer.CurrentCultureIgnoreCase);
            _order.ForEach(name => table.Add(_groups[name].Key ?? "", _groups[name].Items));
            WriteObject(table);
            return;
        }

        foreach (string name in _order.Order(StringComparer.CurrentCultureIgnoreCase))
        {
            WriteObject(Describe(name, _groups[name].Items));
        }
    }

    private PSObject Describe(string name, Collection<PSObject> items) => NoElement
        ? EngineViews.Describe("Microsoft.PowerShell.Commands.GroupInfoNoElement", ("Count", items.Count), ("Name", name))
        : EngineViews.Describe("Microsoft.PowerShell.Commands.GroupInfo", ("Count", items.Count), ("Name", name), ("Group", items));
}
