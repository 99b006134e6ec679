using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Which names pass -Filter, -Include and -Exclude.</summary>
internal sealed class NameFilter(string? filter, string[] include, string[] exclude)
{
    private readonly WildcardPattern[] _filter = Patterns(filter is null ? [] : [filter]);
    private readonly WildcardPattern[] _include = Patterns(include);
    private readonly WildcardPattern[] _exclude = Patterns(exclude);

    internal bool Accepts(string name) =>
        (_filter.Length == 0 || _filter.Any(p => p.IsMatch(name)))
        && (_include.Length == 0 || _include.Any(p => p.IsMatch(name)))
        && !_exclude.Any(p => p.IsMatch(name));

    private static WildcardPattern[] Patterns(string[] texts) =>
        [.. texts.Select(t => WildcardPattern.Get(t, WildcardOptions.IgnoreCase))];
}
