namespace Qcow2.HelpGenerator.Documentation;

/// <summary>Code as it stood in a comment, without the comment's indentation.</summary>
public static class CodeText
{
    /// <summary>Takes away blank lines at both ends, and the indentation that all lines share.</summary>
    /// <param name="text">The text of the element.</param>
    public static string Of(string text)
    {
        string[] lines = [.. text.ReplaceLineEndings("\n").Split('\n').Select(line => line.TrimEnd())];
        string[] used = [.. lines.SkipWhile(line => line.Length == 0).Reverse().SkipWhile(line => line.Length == 0).Reverse()];
        int indentation = used.Where(line => line.Length > 0).Select(Indentation).DefaultIfEmpty(0).Min();
        return string.Join('\n', used.Select(line => line.Length == 0 ? line : line[indentation..]));
    }

    private static int Indentation(string line) => line.Length - line.TrimStart(' ').Length;
}
