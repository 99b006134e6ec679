using System.Management.Automation;

namespace Qcow2.Shell.Commands.Items;

/// <summary>Get-ChildItem: what lies in a folder, or matches a pattern.</summary>
[Cmdlet(VerbsCommon.Get, "ChildItem", DefaultParameterSetName = "Path")]
internal sealed class GetChildItemCommand : PathCommand
{
    // The engine does not look at an overridden property's attributes.
    [Parameter(Position = 0, ParameterSetName = "Path", ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    public override string[] Path { get; set; } = ["."];

    [Parameter(Position = 1)]
    public string? Filter { get; set; }

    [Parameter]
    public string[] Include { get; set; } = [];

    [Parameter]
    public string[] Exclude { get; set; } = [];

    [Parameter]
    [Alias("s")]
    public SwitchParameter Recurse { get; set; }

    [Parameter]
    public uint? Depth { get; set; }

    [Parameter]
    public SwitchParameter Name { get; set; }

    [Parameter]
    [Alias("ad")]
    public SwitchParameter Directory { get; set; }

    [Parameter]
    [Alias("af")]
    public SwitchParameter File { get; set; }

    private protected override void Process(string path)
    {
        NameFilter filter = new(Filter, Include, Exclude);
        foreach (PSObject item in Items(path).Where(i => IsWanted(i, filter)))
        {
            WriteObject(Name ? item.Properties["PSChildName"].Value : item);
        }
    }

    private static bool IsContainer(PSObject item) => item.Properties["PSIsContainer"]?.Value is true;

    // The provider goes through a folder only by its own name: "*.txt" with -Recurse is a pattern for every folder below.
    private IEnumerable<PSObject> Items(string path)
    {
        bool recurse = Recurse || Depth is not null;
        if (recurse && !Literal && WildcardPattern.ContainsWildcardCharacters(path) && !InvokeProvider.Item.Exists(path, Force, literalPath: true))
        {
            string parent = SessionState.Path.ParseParent(path, null);
            NameFilter last = new(SessionState.Path.ParseChildName(path), [], []);
            return InvokeProvider.ChildItem.Get([parent.Length > 0 ? parent : "."], true, Depth ?? uint.MaxValue, Force, literalPath: false)
                .Where(i => last.Accepts(NameOf(i)));
        }

        if (Literal || !WildcardPattern.ContainsWildcardCharacters(path))
        {
            // The children of what is not there are no error to the provider; the item is, with its own error.
            InvokeProvider.Item.Get([path], Force, Literal);
        }

        return InvokeProvider.ChildItem.Get([path], recurse, Depth ?? uint.MaxValue, Force, Literal);
    }

    private static string NameOf(PSObject item) => item.Properties["PSChildName"].Value?.ToString() ?? "";

    private bool IsWanted(PSObject item, NameFilter filter) =>
        filter.Accepts(NameOf(item)) && (Directory == File || Directory == IsContainer(item));
}
