using System.Xml.Linq;
using static Qcow2.PowerShell.Reports.Html.Markup;

namespace Qcow2.PowerShell.Reports.Sections;

/// <summary>States as badges: a sign, a word and a colour, so that nothing depends on the colour.</summary>
internal static class StateBadges
{
    /// <summary>The badges of an image; nothing where nothing is special.</summary>
    internal static XElement? Of(IReadOnlyList<ImageState> states)
        => states.Count == 0 ? null : El("ul", At("class", "badges"), states.Select(state => El("li", Badge(state.Label, state.Tone))));

    /// <summary>One badge.</summary>
    /// <param name="label">Its word.</param>
    /// <param name="tone">How much it matters.</param>
    internal static XElement Badge(string label, StateTone tone) => Classed("span", "badge " + Class(tone), Sign(tone), label);

    /// <summary>The class of what matters so much.</summary>
    internal static string Class(StateTone tone) => tone switch
    {
        StateTone.Bad => "bad",
        StateTone.Warning => "warning",
        _ => "fact",
    };

    /// <summary>A sign that looks different for each tone.</summary>
    internal static XElement Sign(StateTone tone) => Classed("span", "sign", Decoration(), tone switch
    {
        StateTone.Bad => "×",
        StateTone.Warning => "!",
        _ => "i",
    });
}
