using System.Collections.ObjectModel;
using System.Management.Automation.Host;

namespace Qcow2.Shell.Hosting;

/// <summary>The choices of a question such as "Are you sure?": an ampersand in a label marks its key.</summary>
internal sealed class ChoiceMenu(Collection<ChoiceDescription> choices, int defaultChoice)
{
    /// <summary>All choices on one line, with the default.</summary>
    internal string Question
    {
        get
        {
            string all = string.Join("  ", choices.Select(c => $"[{Key(c)}] {Label(c)}"));
            string help = defaultChoice >= 0 ? $"default is \"{Key(choices[defaultChoice])}\"" : "no default";
            return $"{all}  [?] Help ({help})";
        }
    }

    /// <summary>What each choice does.</summary>
    internal string Explanation => string.Join(Environment.NewLine, choices.Select(c => $"{Key(c)} - {c.HelpMessage}"));

    /// <summary>The choice that <paramref name="answer"/> names by key or label; -1 if none.</summary>
    internal int Find(string answer)
    {
        if (answer.Length == 0)
        {
            return defaultChoice;
        }

        for (int i = 0; i < choices.Count; i++)
        {
            if (answer.Equals(Key(choices[i]), StringComparison.OrdinalIgnoreCase)
                || answer.Equals(Label(choices[i]), StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        return -1;
    }

    private static string Label(ChoiceDescription choice) => choice.Label.Replace("&", "", StringComparison.Ordinal);

    private static string Key(ChoiceDescription choice)
    {
        int mark = choice.Label.IndexOf('&', StringComparison.Ordinal);
        return mark >= 0 && mark + 1 < choice.Label.Length
            ? choice.Label[mark + 1].ToString().ToUpperInvariant()
            : Label(choice);
    }
}
