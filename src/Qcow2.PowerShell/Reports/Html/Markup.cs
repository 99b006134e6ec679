using System.Xml.Linq;

namespace Qcow2.PowerShell.Reports.Html;

/// <summary>Short names for what a document is built of.</summary>
internal static class Markup
{
    /// <summary>An element. Strings in it are text; elements, attributes and sequences of them are themselves; null is nothing.</summary>
    internal static XElement El(string name, params object?[] content) => new(name, content);

    /// <summary>An element of a class.</summary>
    internal static XElement Classed(string name, string classes, params object?[] content) => new(name, At("class", classes), content);

    /// <summary>An attribute; null for none.</summary>
    internal static XAttribute? At(string name, string? value) => value is null ? null : new XAttribute(name, value);

    /// <summary>What only a screen reader says.</summary>
    internal static XElement Unseen(string text) => Classed("span", "unseen", text);

    /// <summary>What only the eye sees, because the words beside it say the same.</summary>
    internal static XAttribute Decoration() => new("aria-hidden", "true");

    /// <summary>A name out of a file. Its direction is its own affair and none of the words around it.</summary>
    internal static XElement Name(string shown) => El("bdi", shown);

    /// <summary>A time for people and for programs.</summary>
    internal static XElement Time(DateTimeOffset time) => El("time", At("datetime", ReportText.MachineTime(time)), ReportText.Time(time));

    /// <summary>Adds elements that are made while they are written.</summary>
    internal static XElement Then(this XElement element, IEnumerable<XElement> later)
    {
        element.AddAnnotation(new LaterContent(later));
        return element;
    }
}
