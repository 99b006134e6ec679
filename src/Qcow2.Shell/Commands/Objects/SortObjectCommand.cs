using System.Management.Automation;

namespace Qcow2.Shell.Commands.Objects;

/// <summary>Sort-Object: the objects in order; equal ones stay in the order they came.</summary>
[Cmdlet("Sort", "Object")]
internal sealed class SortObjectCommand : InputCommand
{
    private readonly List<(PSObject Item, object?[] Keys)> _items = [];

    [Parameter]
    public SwitchParameter Descending { get; set; }

    [Parameter]
    public SwitchParameter Unique { get; set; }

    [Parameter]
    public SwitchParameter CaseSensitive { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? Top { get; set; }

    [Parameter]
    [ValidateRange(1, int.MaxValue)]
    public int? Bottom { get; set; }

    private protected override void Process(PSObject item) =>
        _items.Add((item, Selectors.Length > 0 ? [.. Selectors.Select(s => s.ValueOf(item))] : [item]));

    protected override void EndProcessing()
    {
        KeyComparer comparer = new(new ValueComparer(CaseSensitive), [.. Orders()]);
        IEnumerable<(PSObject Item, object?[] Keys)> sorted = _items.OrderBy(i => i.Keys, comparer);
        if (Unique)
        {
            sorted = sorted.Aggregate(
                new List<(PSObject Item, object?[] Keys)>(),
                (kept, next) =>
                {
                    if (kept.Count == 0 || comparer.Compare(kept[^1].Keys, next.Keys) != 0)
                    {
                        kept.Add(next);
                    }

                    return kept;
                });
        }

        sorted = Top is { } top ? sorted.Take(top) : Bottom is { } bottom ? sorted.TakeLast(bottom) : sorted;
        WriteObject(sorted.Select(s => s.Item), enumerateCollection: true);
    }

    private IEnumerable<bool> Orders() =>
        Selectors.Length > 0 ? Selectors.Select(s => s.Descending || Descending) : [Descending];

    private sealed class KeyComparer(ValueComparer values, bool[] descending) : IComparer<object?[]>
    {
        public int Compare(object?[]? x, object?[]? y)
        {
            for (int i = 0; i < descending.Length; i++)
            {
                int order = values.Compare(x![i], y![i]);
                if (order != 0)
                {
                    return descending[i] ? -order : order;
                }
            }

            return 0;
        }
    }
}
